import { stringify } from 'yaml';
import { clickhouseSource, prometheusSource } from './data-queries.ts';

/* What Grafana reads at its start: where the boards lie, and which servers they ask. Passwords come from its environment. */

const generatedNote =
  '# Generated from dashboards/provisioning.ts by `npm run boards:generate`. Do not edit.\n';

/** Where Grafana finds the boards in its container. */
const boardsDirectory = '/var/lib/grafana-boards';

/** The provider of the boards. */
export function boardsProvisioning(): string {
  return document({
    apiVersion: 1,
    providers: [
      {
        name: 'millrace',
        folder: 'Millrace',
        type: 'file',
        disableDeletion: true,
        allowUiUpdates: false,
        updateIntervalSeconds: 30,
        options: { path: boardsDirectory, foldersFromFilesStructure: false },
      },
    ],
  });
}

/** The Prometheus and the ClickHouse of the same network. */
export function dataSourcesProvisioning(): string {
  return document({
    apiVersion: 1,
    datasources: [
      {
        name: 'Prometheus',
        uid: 'millrace-prometheus',
        type: prometheusSource.type,
        access: 'proxy',
        url: 'http://prometheus:9090',
        isDefault: true,
        editable: false,
        jsonData: { httpMethod: 'POST', timeInterval: '15s' },
      },
      {
        name: 'ClickHouse',
        uid: 'millrace-clickhouse',
        type: clickhouseSource.type,
        access: 'proxy',
        editable: false,
        jsonData: {
          host: 'clickhouse',
          port: 8123,
          protocol: 'http',
          secure: false,
          username: 'millrace_grafana',
          defaultDatabase: 'millrace',
          dialTimeout: '10',
          queryTimeout: '60',
        },
        secureJsonData: { password: '$CLICKHOUSE_GRAFANA_PASSWORD' },
      },
    ],
  });
}

function document(content: object): string {
  return generatedNote + stringify(content, { singleQuote: true, lineWidth: 0 });
}
