// The least function: it reads nothing.
export const handler = async () => ({});
