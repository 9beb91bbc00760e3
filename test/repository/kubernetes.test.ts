import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { listSettings, loadConfiguration } from '../../src/host/load-configuration.ts';
import { version } from '../../src/host/version.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { metricPrefix } from '../../src/telemetry/metric-definition.ts';

/* The Kubernetes manifests, as far as they can be judged without a cluster. */

const root = join(packageRoot(), 'deploy', 'kubernetes');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) =>
  path.endsWith('.yaml'),
);

const manifestSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }).optional(),
});
type Manifest = z.output<typeof manifestSchema>;

const manifestsOf = (path: string): readonly Manifest[] =>
  parseAllDocuments(readFileSync(join(root, path), 'utf8')).map((document) => {
    expect(document.errors, path).toEqual([]);
    return manifestSchema.parse(document.toJS());
  });
const manifests = files.flatMap((path) => manifestsOf(path));

const containerSchema = z.looseObject({
  image: z.string(),
  args: z.array(z.string()),
  env: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
  resources: z.object({
    limits: z.object({ memory: z.string() }),
    requests: z.object({ memory: z.string() }).loose(),
  }),
  securityContext: z.object({
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    capabilities: z.object({ drop: z.tuple([z.literal('ALL')]) }),
  }),
});
const podSchema = z.looseObject({
  automountServiceAccountToken: z.literal(false),
  securityContext: z.looseObject({ runAsNonRoot: z.literal(true) }),
  terminationGracePeriodSeconds: z.number().optional(),
  containers: z.tuple([containerSchema]),
});
const templated = manifests
  .filter(({ kind }) => kind === 'Deployment' || kind === 'Job')
  .map((manifest) => ({
    name: manifest.metadata?.name ?? '',
    pod: podSchema.parse((manifest['spec'] as { template: { spec: unknown } }).template.spec),
  }));

/** What the secret brings, as deploy/kubernetes/README.md shows it. */
const secrets = Object.fromEntries(
  [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^ +([A-Z0-9_]+)=(.+)$/gm)].map(
    ([, name = '', value = '']) => [name, value.replaceAll('…', 'secret')] as const,
  ),
);

describe('deploy/kubernetes', () => {
  it('names only files that exist, and every manifest', () => {
    const named = new Set<string>();
    for (const path of files.filter((file) => file.endsWith('kustomization.yaml'))) {
      const { resources = [], components = [] } = z
        .looseObject({
          resources: z.array(z.string()).optional(),
          components: z.array(z.string()).optional(),
        })
        .parse(manifestsOf(path)[0]);
      for (const entry of [...resources, ...components]) {
        expect(existsSync(join(root, dirname(path), entry)), `${path}: ${entry}`).toBe(true);
        named.add(join(dirname(path), entry));
      }
    }
    const rest = files.filter((file) => !file.endsWith('kustomization.yaml') && !named.has(file));
    expect(rest).toEqual([]);
  });

  it('runs every role and the migrations without rights, bounded', () => {
    expect(templated.map(({ name }) => name).toSorted()).toEqual([
      'millrace-api',
      'millrace-maintenance',
      'millrace-migrate',
      'millrace-worker',
    ]);
  });

  it('gives settings that exist, and that make a valid configuration for each role', () => {
    const settings = manifests.find(({ kind }) => kind === 'ConfigMap');
    const { data } = z.looseObject({ data: z.record(z.string(), z.string()) }).parse(settings);
    const known = new Set(listSettings().map(({ env }) => env));
    expect(Object.keys(data).filter((name) => !known.has(name))).toEqual([]);
    for (const { pod } of templated) {
      const own = Object.fromEntries(pod.containers[0].env.map(({ name, value }) => [name, value]));
      const { shutdownGraceMs } = loadConfiguration({ environment: { ...data, ...own, ...secrets } });
      const graceSeconds = pod.terminationGracePeriodSeconds;
      if (graceSeconds !== undefined) expect(graceSeconds * 1000).toBeGreaterThan(shutdownGraceMs + 10_000);
    }
  });

  it('is of this version, and holds no secret', () => {
    const text = files.map((path) => readFileSync(join(root, path), 'utf8')).join('\n');
    expect(text).toContain(`newTag: ${version}\n`);
    expect(manifests.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    expect(text).not.toMatch(/:\/\/[^\s/]*:[^\s/@]+@/);
  });

  it('lets nothing talk to the pods, or they to anything, but what a policy names', () => {
    const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy');
    expect(policies.map(({ metadata }) => metadata?.name)).toEqual(['millrace-default', 'millrace-api']);
    const selected = { 'app.kubernetes.io/name': 'millrace' };
    expect(policies[0]).toMatchObject({
      spec: { podSelector: { matchLabels: selected }, policyTypes: ['Ingress', 'Egress'] },
    });
    for (const { kind, spec } of manifests) {
      if (kind !== 'Deployment' && kind !== 'Job') continue;
      expect(spec).toMatchObject({ template: { metadata: { labels: selected } } });
    }
  });

  it('starts no example: its stages are those of the user', () => {
    for (const { pod } of templated) expect(pod.containers[0].args.join(' ')).not.toContain('/examples/');
  });

  it('scales and alerts by metrics that exist', () => {
    const scaler = manifests.filter(({ kind }) => kind === 'ScaledObject');
    expect(scaler).toHaveLength(1);
    const asked = JSON.stringify(scaler).match(/millrace_\w+/g) ?? [];
    expect(asked.length).toBeGreaterThan(0);
    const known = new Set(Object.keys(metricCatalogue).map((name) => `${metricPrefix}${name}`));
    expect(asked.filter((name) => !known.has(name))).toEqual([]);
  });
});
