import {
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type Threshold,
} from '@grafana/grafana-foundation-sdk/dashboard';

/** From which value on a panel turns amber, and red. Numbers come from thresholds.ts. */
export interface ColourLimits {
  /** Whether more is worse, or less is. */
  readonly worse: 'above' | 'below';
  readonly amber?: number;
  readonly red?: number;
}

/** Amber and red when the value rises. */
export function worseAbove(limits: { readonly amber?: number; readonly red?: number }): ColourLimits {
  return { worse: 'above', ...limits };
}

/** Amber and red when the value falls below. */
export function worseBelow(limits: { readonly amber?: number; readonly red?: number }): ColourLimits {
  return { worse: 'below', ...limits };
}

/** The limits as Grafana's steps: each colour holds from its value on. */
export function thresholdSteps(limits: ColourLimits | undefined): ThresholdsConfigBuilder {
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(stepsOf(limits));
}

export function stepsOf(limits: ColourLimits | undefined): Threshold[] {
  if (limits === undefined) return [{ value: null, color: 'text' }];
  const { worse, amber, red } = limits;
  if (worse === 'above') {
    return [
      { value: null, color: 'green' },
      ...(amber === undefined ? [] : [{ value: amber, color: 'orange' }]),
      ...(red === undefined ? [] : [{ value: red, color: 'red' }]),
    ];
  }
  return [
    { value: null, color: red === undefined ? 'orange' : 'red' },
    ...(red !== undefined && amber !== undefined ? [{ value: red, color: 'orange' }] : []),
    { value: amber ?? red ?? 0, color: 'green' },
  ];
}
