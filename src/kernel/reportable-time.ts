/* The times that may be asked for. Stores refuse, or read as something else, what lies far outside of them. */

const earliest = new Date('2000-01-01T00:00:00Z');
const latest = new Date('2200-01-01T00:00:00Z');

/** What an error says of a time outside of them. */
export const reportableYears = 'lies between the years 2000 and 2199';

/** Whether a time is one that may be asked for. */
export function isReportable(time: Date): boolean {
  return time >= earliest && time < latest;
}
