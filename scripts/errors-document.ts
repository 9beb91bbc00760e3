import { errorCodes } from '../src/host/error-codes.ts';
import { markdownTable } from './markdown-table.ts';

/** docs/errors.md: every error code with what it means to a caller and what to do. */
export function errorsDocument(): string {
  const rows = Object.entries(errorCodes).map(([code, entry]) => [
    `\`${code}\``,
    String(entry.status),
    entry.retryable ? 'yes' : 'no',
    entry.what,
    entry.todo,
  ]);
  return `# Errors

<!-- Generated from src/host/error-codes.ts by \`npm run generate\`. Do not edit. -->

Every failure that Millrace reports has one of these codes: in the \`code\` member of a problem document
(RFC 9457), in a log line, and in a dead letter. *Status* is the HTTP status when the failure reaches an API
caller. *Retryable* says whether the same attempt may succeed later.

${markdownTable(['Code', 'Status', 'Retryable', 'What happened', 'What to do'], rows)}`;
}
