import { declareErrors } from '../../../kernel/declared-errors.ts';

/** Why a bill cannot be used. */
export const reconciliationErrors = declareErrors({
  MILLRACE_BILL_INVALID: {
    status: 422,
    retryable: false,
    what: 'The file is no bill in a form that Millrace reads, or it is not whole. The message says where: the file, the line and the field.',
    todo: 'Export the bill again, with every page, in a form that docs/reconciliation.md lists; do not edit it.',
  },
  MILLRACE_BILL_TOO_LARGE: {
    status: 413,
    retryable: false,
    what: 'The bill has more bytes, lines or levels than one may have.',
    todo: 'Split it by days, and reconcile one part after the other. Over HTTP a bill has 8 MiB at most; the command takes larger ones.',
  },
});
