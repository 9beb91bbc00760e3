import { ApiQuery } from '@nestjs/swagger';
import { costFilterFields } from './cost-query.ts';

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
  };
}
