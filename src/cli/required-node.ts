/** The oldest major version of Node that Millrace runs on; package.json says the same to npm. */
export const requiredNodeMajor = 24;

/** Why this version of Node does not do, with what to do about it; undefined for one that does. */
export function nodeProblem(version: string): string | undefined {
  const major = Number(/^v?(\d+)\./.exec(version)?.[1]);
  if (major >= requiredNodeMajor) return undefined;
  return `Millrace needs Node ${requiredNodeMajor} or newer, and this is ${version}. Install it (https://nodejs.org), or run the one of npm: npm install node@${requiredNodeMajor} && npx millrace …`;
}
