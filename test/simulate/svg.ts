/** What plots are drawn with. Pure. */

/** Of coordinates: a tenth of a pixel is enough. */
export const round = (number: number): number => Math.round(number * 10) / 10;

export function text(x: number, y: number, content: string, kind = "", anchor = "start"): string {
  const escaped = content.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return `<text x="${round(x)}" y="${round(y)}" class="${kind}" text-anchor="${anchor}">${escaped}</text>`;
}

export interface Drawing {
  readonly width: number;
  readonly height: number;
  /** For who cannot see it. */
  readonly title: string;
  readonly style: string;
  readonly content: readonly string[];
}

/** The whole file. */
export const toSvg = ({ width, height, title, style, content }: Drawing): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${title}</title>`,
    `<style>${style}\n</style>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...content,
    "</svg>",
    "",
  ].join("\n");
