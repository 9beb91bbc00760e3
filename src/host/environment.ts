/** The process's environment variables, for entry points that hand them on. */
export const environment: Readonly<Record<string, string | undefined>> = process.env;
