import { generatedAlerts } from '../dashboards/alerts/generated-alerts.ts';
import { generatedBoards } from '../dashboards/generated-boards.ts';
import { boardsDocument } from './boards-document.ts';
import { configurationDocument } from './configuration-document.ts';
import { errorsDocument } from './errors-document.ts';
import { metricsDocument } from './metrics-document.ts';

/** A committed file that follows from code. */
export interface GeneratedDocument {
  /** Its path from the root. */
  readonly path: string;
  /** The content it must have. */
  readonly render: () => string | Promise<string>;
}

/** Every generated file; `npm run generate` writes them, the check compares them. */
export const generatedDocuments: readonly GeneratedDocument[] = [
  { path: 'docs/configuration.md', render: configurationDocument },
  { path: 'docs/errors.md', render: errorsDocument },
  { path: 'docs/metrics.md', render: metricsDocument },
  { path: 'docs/boards.md', render: boardsDocument },
  ...generatedBoards,
  ...generatedAlerts,
];
