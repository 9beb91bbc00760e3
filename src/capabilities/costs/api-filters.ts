import { ApiQuery } from '@nestjs/swagger';
import { labelFieldPattern } from './cost-report-document.ts';
import { defaultPeriodDays } from './cost-parameters.ts';
import { costFilterFields } from './cost-query.ts';
import { maxLabelFields } from './label-fields.ts';

/** Describes the filters of a route: a repeated parameter for each field. */
export function ApiFilters(): MethodDecorator {
  return (target, key, descriptor) => {
    for (const name of costFilterFields) {
      ApiQuery({
        name,
        required: false,
        style: 'form',
        explode: true,
        description: `Only calls of this ${name}; repeat it for more than one.`,
        schema: { type: 'array', items: { type: 'string' } },
      })(target, key, descriptor);
    }
    ApiQuery({
      name: 'labels',
      required: false,
      // Free-form parameters of OpenAPI: each property of the object is a parameter of its own.
      style: 'form',
      explode: true,
      description: `Only work with these labels: label:region=eu; repeat it for more values. At most ${maxLabelFields} labels.`,
      schema: {
        type: 'object',
        patternProperties: { [labelFieldPattern.source]: { type: 'string' } },
        additionalProperties: false,
      },
    })(target, key, descriptor);
  };
}

const text = { type: 'string' } as const;

/** Describes the period of a route: both ends and the time zone. */
export function ApiPeriod(): MethodDecorator {
  const parameters = {
    from: `First moment (of the call), included: a date of the time zone, or a time with its own. Default ${defaultPeriodDays} days before the end.`,
    to: 'Last moment, excluded. Default now.',
    timezone:
      'Whose days, weeks and months, and whose midnight a date in from or to is: an IANA name. Default the setting costs.reports.timeZone.',
  };
  return (target, key, descriptor) => {
    for (const [name, description] of Object.entries(parameters)) {
      const schema = name === 'timezone' ? { ...text, examples: ['Europe/Berlin'] } : text;
      ApiQuery({ name, required: false, description, schema })(target, key, descriptor);
    }
  };
}
