import type { LogOnce } from '../../telemetry/log-once.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { CallQuestion } from './call-opener.ts';
import type { OwningMessage } from './call-maker.ts';
import { labelsOf, type ModelMetrics } from './model-metrics.ts';

export interface StepDivergencesServices {
  readonly metrics: Pick<ModelMetrics, 'stepDiverged'>;
  readonly logger: Logger;
  readonly logOnce: LogOnce;
}

/** Tells that a step asks something else than when its answer was recorded: counted each time, logged once for a stage and step. */
export class StepDivergences {
  readonly #services: StepDivergencesServices;

  constructor(services: StepDivergencesServices) {
    this.#services = services;
  }

  note({ target, step }: CallQuestion, ordinal: number, message: OwningMessage | undefined): void {
    const { metrics, logOnce, logger } = this.#services;
    const labels = labelsOf(target, message);
    metrics.stepDiverged(labels);
    if (!logOnce.isNew(`diverged ${labels.stage} ${step}`)) return;
    logger.warn(
      { messageId: message?.id, stage: labels.stage, step, ordinal },
      'a step asks something else than when its answer was recorded: it is called anew',
    );
  }
}
