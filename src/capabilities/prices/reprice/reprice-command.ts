import type { Command } from 'commander';
import { parseRequest } from '../../../http/request-faults.ts';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  print,
  type StoreOptions,
  withStoreOptions,
} from '../../../terminal/command-context.ts';
import { operatorName } from '../../../terminal/operator-name.ts';
import { nameOption } from '../../../terminal/option-values.ts';
import type { PriceSettings } from '../command-prices.ts';
import { repriceRequestSchema } from './reprice-document.ts';
import { repriceText } from './reprice-text.ts';

interface RepriceOptions extends StoreOptions {
  readonly from: string;
  readonly to: string;
  readonly provider?: string;
  readonly model?: string;
  readonly team?: string;
  readonly reason?: string;
  readonly actor?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** `millrace prices reprice`: settled calls at the prices of today. */
export function addRepriceCommand(prices: Command, context: CommandContext<PriceSettings>, bind: Bind): void {
  withStoreOptions(prices.command('reprice'))
    .description('compute the cost of settled calls again by the present prices, and book the differences')
    .requiredOption(
      '--from <time>',
      'first moment of the calls: a date (midnight UTC) or a time with its zone',
    )
    .requiredOption('--to <time>', 'last moment, excluded')
    .option('--provider <name>', 'only calls to this provider', nameOption)
    .option('--model <name>', 'only calls that asked for this model', nameOption)
    .option('--team <team>', 'only calls of this team', nameOption)
    .option('--dry-run', 'only show what would change')
    .option('--reason <text>', 'why, for the audit and the correction records')
    .option('--actor <name>', 'who, for the audit; the account at this machine without it')
    .option('--json', 'one JSON object')
    .action(bind((options: RepriceOptions) => reprice(context, options)));
}

async function reprice(context: CommandContext<PriceSettings>, options: RepriceOptions): Promise<number> {
  const { from, to, provider, model, team, reason, actor, dryRun = false, json = false } = options;
  const request = parseRequest(repriceRequestSchema, { from, to, provider, model, team, reason, dryRun });
  const { withRepriceService } = await import('../command-prices.ts');
  const report = await withRepriceService(await context.installation(options), (service) =>
    service.reprice(request, { actor: operatorName(actor) }, { maxSlices: Number.POSITIVE_INFINITY }),
  );
  print(context, json ? JSON.stringify(report, undefined, 2) : repriceText(report));
  return report.changedMeanwhile === 0 ? exitCodes.ok : exitCodes.failed;
}
