/** A comment of shells, YAML and Terraform. */
export const toComment = (text: string): string => text.replace(/^/gm, "# ").replace(/ +$/gm, "").concat("\n");
