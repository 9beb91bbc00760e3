import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfiguration, unknownVariablesOf } from './load-configuration.ts';

describe('a variable of an earlier version', () => {
  it.each([
    ['MILLRACE_BREAKER', 'MILLRACE_CIRCUIT'],
    ['MILLRACE_BREAKER_ERROR_SHARE', 'MILLRACE_CIRCUIT_ERROR_SHARE'],
    ['MILLRACE_BREAKER_MAX_OPEN_MS', 'MILLRACE_CIRCUIT_MAX_OPEN_MS'],
    ['MILLRACE_BREAKER_MIN_REQUESTS', 'MILLRACE_CIRCUIT_MIN_REQUESTS'],
    ['MILLRACE_BREAKER_OPEN_MS', 'MILLRACE_CIRCUIT_OPEN_MS'],
    ['MILLRACE_BREAKER_PROBES', 'MILLRACE_CIRCUIT_PROBES'],
    ['MILLRACE_BREAKER_WINDOW_MS', 'MILLRACE_CIRCUIT_WINDOW_MS'],
    ['MILLRACE_EXPORT_PAUSE_MS', 'MILLRACE_EXPORT_INTERVAL_MS'],
    ['MILLRACE_SPEND_BASELINE_PAUSE_MS', 'MILLRACE_SPEND_BASELINE_INTERVAL_MS'],
    ['MILLRACE_SWEEP_PAUSE_MS', 'MILLRACE_SWEEP_INTERVAL_MS'],
  ])('%s is refused with the name that it has now', (name, now) => {
    const load = (environment: Readonly<Record<string, string>>) => () => loadConfiguration({ environment });
    expect(load({ [name]: '1000' })).toThrow(`  ${name}: is called ${now} now`);
    expect(load({ [name]: '' })).not.toThrow();
  });

  it('is named beside every other fault', () => {
    const environment = { MILLRACE_SWEEP_PAUSE_MS: '77', MILLRACE_HTTP_PORT: 'none' };
    expect(() => loadConfiguration({ environment })).toThrow(/http\.port: .*\n.*MILLRACE_SWEEP_PAUSE_MS/);
  });
});

describe('a key of an earlier version', () => {
  it.each([
    [{ models: { breaker: { openMs: 1000 } } }, /models\.breaker: is called (models|limits)\.circuit now/],
    [{ sweeper: { pauseMs: 1000 } }, 'sweeper.pauseMs: is called sweeper.intervalMs now'],
    [
      { costs: { baseline: { pauseMs: 1 } } },
      'costs.baseline.pauseMs: is called costs.baseline.intervalMs now',
    ],
    [{ models: { brakes: true } }, 'models.brakes: is not a setting'],
  ])('in %j is refused with the name that it has now', (content, expected) => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-keys-'));
    const file = join(directory, 'millrace.json');
    writeFileSync(file, JSON.stringify(content));
    try {
      expect(() => loadConfiguration({ environment: {}, file })).toThrow(expected);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('a variable that no setting has', () => {
  it('is found', () => {
    const environment = {
      MILLRACE_HTPP_PORT: '80',
      MILLRACE_HTTP_PORT: '80',
      MILLRACE_CONFIG: 'millrace.json',
      MILLRACE_EMPTY: '',
      PATH: '/bin',
    };
    expect(unknownVariablesOf(environment)).toEqual(['MILLRACE_HTPP_PORT']);
    expect(() => loadConfiguration({ environment: { MILLRACE_HTPP_PORT: '80' } })).not.toThrow();
  });

  it('is not one that Kubernetes sets for a service', () => {
    const environment = {
      MILLRACE_SERVICE_HOST: '10.0.0.1',
      MILLRACE_API_SERVICE_PORT: '8080',
      MILLRACE_API_SERVICE_PORT_HTTP: '8080',
      MILLRACE_PORT: 'tcp://10.0.0.1:8080',
      MILLRACE_PORT_8080_TCP: 'tcp://10.0.0.1:8080',
      MILLRACE_PORT_8080_TCP_ADDR: '10.0.0.1',
    };
    expect(unknownVariablesOf(environment)).toEqual([]);
  });
});
