import { z } from 'zod';
import { setting, wholeNumber } from '../../../kernel/setting.ts';

/** The settings of what batches take in. */
export const intakeSettings = z.strictObject({
  maxItems: setting(wholeNumber(1, 10_000_000).default(1_000_000), {
    env: 'MILLRACE_BATCH_MAX_ITEMS',
    help: 'Items of one batch; an upload with more is refused.',
  }),
  uploadBytes: setting(wholeNumber(1024, 1_099_511_627_776).default(1_073_741_824), {
    env: 'MILLRACE_BATCH_UPLOAD_BYTES',
    help: 'Bytes of one upload of items as they are sent, compressed or not.',
  }),
  decodedBytes: setting(wholeNumber(1024, 1_099_511_627_776).default(8_589_934_592), {
    env: 'MILLRACE_BATCH_DECODED_BYTES',
    help: 'Bytes of one upload after decompression, and of the data of all its items.',
  }),
  rowGroupBytes: setting(wholeNumber(1024, 4_294_967_296).default(268_435_456), {
    env: 'MILLRACE_BATCH_ROW_GROUP_BYTES',
    help: 'Decoded bytes of one row group of a Parquet file, which is read into memory whole.',
  }),
  readTimeoutMs: setting(wholeNumber(1000, 86_400_000).default(1_800_000), {
    env: 'MILLRACE_BATCH_READ_TIMEOUT_MS',
    help: 'How long reading a Parquet file may take, from when it has arrived until its last item is written.',
  }),
});

export type IntakeSettings = z.output<typeof intakeSettings>;
