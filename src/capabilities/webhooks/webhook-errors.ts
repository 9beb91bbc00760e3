import { declareErrors } from '../../kernel/declared-errors.ts';

/** What webhooks refuse. */
export const webhookErrors = declareErrors({
  MILLRACE_WEBHOOK_NOT_FOUND: {
    status: 404,
    retryable: false,
    what: 'There is no webhook, or no delivery, of this id that the caller may see.',
    todo: 'List them, as "millrace webhooks list" does.',
  },
  MILLRACE_WEBHOOK_EXISTS: {
    status: 409,
    retryable: false,
    what: 'The team has a webhook of this name already; nothing was changed.',
    todo: 'Take another name, or delete the webhook first.',
  },
  MILLRACE_WEBHOOK_LIMIT: {
    status: 409,
    retryable: false,
    what: 'The team has as many webhooks as a team may have; none was made.',
    todo: 'Delete webhooks that are not used any more.',
  },
  MILLRACE_WEBHOOK_CONFIGURED: {
    status: 409,
    retryable: false,
    what: 'The webhook is one of the configuration, which says its address and its secret; nothing was changed.',
    todo: 'Change "webhooks.endpoints" in the configuration.',
  },
});
