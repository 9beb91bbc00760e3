import { allBoards } from './all-boards.ts';
import { boardJson } from './board.ts';
import { boardsProvisioning, dataSourcesProvisioning } from './provisioning.ts';

const folder = 'dashboards/generated/grafana';

/** Every file that Grafana is given: its path from the root, and what makes it. */
export const generatedBoards: readonly { readonly path: string; readonly render: () => string }[] = [
  ...allBoards.map((board) => ({
    path: `${folder}/dashboards/${board.uid}.json`,
    render: () => boardJson(board),
  })),
  { path: `${folder}/provisioning/dashboards/millrace.yaml`, render: boardsProvisioning },
  { path: `${folder}/provisioning/datasources/millrace.yaml`, render: dataSourcesProvisioning },
];
