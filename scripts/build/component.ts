/** Something of others' that a layer carries. */
export interface Component {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression: https://spdx.org/licenses/ */
  readonly license: string;
  /** The whole text of it, as its owners want it to be shipped. */
  readonly licenseText: string;
  /** https://github.com/package-url/purl-spec */
  readonly purl: string;
  /** By which vulnerability databases know what is no package of a registry. */
  readonly cpe?: string;
  /** How what is carried differs from what came. */
  readonly description?: string;
  /** Of the package that it came in, or of the file as it came. */
  readonly hash?: { readonly alg: "SHA-256" | "SHA-512"; readonly content: string };
}

/** The text of THIRD-PARTY-NOTICES: each licence once, under the names of all that it is the licence of. */
export function toNotices(components: readonly Component[]): string {
  const headings = new Map<string, string[]>();
  for (const { name, version, license, licenseText } of components) {
    const text = licenseText.trim();
    headings.set(text, [...(headings.get(text) ?? []), `${name} ${version} (${license})`]);
  }
  const rule = "-".repeat(80);
  return [...headings].map(([text, names]) => `${names.join("\n")}\n\n${text}\n${rule}\n`).join("\n");
}

/**
 * A software bill of materials, CycloneDX 1.6: https://cyclonedx.org/docs/1.6/json/. Without the optional serial number and
 * time, so that it is the same in every build of a version.
 */
export function toSbom(
  layer: { readonly name: string; readonly version: string },
  components: readonly Component[],
): string {
  const sbom = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: { type: "application", ...layer, licenses: [{ expression: "Apache-2.0" }] },
    },
    components: components.map(({ name, version, license, purl, cpe, hash, description }) => ({
      type: "library",
      "bom-ref": purl,
      name,
      version,
      ...(description === undefined ? {} : { description }),
      licenses: [{ expression: license }],
      purl,
      ...(cpe === undefined ? {} : { cpe }),
      ...(hash === undefined ? {} : { hashes: [hash] }),
    })),
  };
  return `${JSON.stringify(sbom, null, 2)}\n`;
}
