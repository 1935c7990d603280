/** A third party's software in a layer. */
export interface Component {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression: https://spdx.org/licenses/ */
  readonly license: string;
  /** The whole text of the licence, which must be shipped with the software. */
  readonly licenseText: string;
  /** https://github.com/package-url/purl-spec */
  readonly purl: string;
  /** The name in vulnerability databases, for software that is not in a package registry. */
  readonly cpe?: string;
  /** How the build has changed it. */
  readonly description?: string;
  /** The hash of the package or file before the build changed it. */
  readonly hash?: { readonly alg: "SHA-256" | "SHA-512"; readonly content: string };
}

/** The text of THIRD-PARTY-NOTICES: each licence once, below the names of all components that have it. */
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
 * A software bill of materials, CycloneDX 1.6: https://cyclonedx.org/docs/1.6/json/. The optional serial number and time are
 * left out, so that every build of a version gives the same bytes.
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
