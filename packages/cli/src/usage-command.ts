import { type Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { CliError, EXIT } from './cli-error.js';
import { formatNanoUsd, print, table } from './output.js';
import { connect } from './settings.js';

const used = { requests: z.number(), failedRequests: z.number(), promptTokens: z.number(), cachedTokens: z.number(), completionTokens: z.number(), amount: z.string() };
const reportSchema = z.object({
  tenant: z.object({
    usage: z.object({ from: z.string(), to: z.string(), totals: z.object(used), groups: z.array(z.object({ ...used, day: z.string().nullable(), target: z.string().nullable() })) }),
  }),
});
type Used = z.infer<typeof reportSchema>['tenant']['usage']['totals'];

const FIELDS = 'requests failedRequests promptTokens cachedTokens completionTokens amount';
const USAGE = `query ($input: UsageInput!) { tenant { usage(input: $input) { from to totals { ${FIELDS} } groups { ${FIELDS} day target } } } }`;

interface Options {
  from?: Date;
  to?: Date;
  by: 'day' | 'target';
  json?: boolean;
}

export function addUsageCommand(program: Command): void {
  program
    .command('usage')
    .description('Tells what was used and what it costs. Days are in UTC.')
    .option('--from <day>', 'as 2026-01-31; default: the first of this month', day)
    .option('--to <day>', 'the first one that does not count any more; default: now', day)
    .option('--by <what>', 'day or target', by, 'target')
    .option('--json', 'print the report as JSON')
    .action(tell);
}

async function tell({ from = firstOfMonth(), to = new Date(), by: what, json }: Options): Promise<void> {
  if (from >= to) throw new CliError(`--to: found ${to.toISOString()}, expected a time after --from, ${from.toISOString()}`, EXIT.usage);
  const input = { from: from.toISOString(), to: to.toISOString(), groupBy: [what.toUpperCase()] };
  const { usage } = (await connect().ask(reportSchema, USAGE, { input })).tenant;
  const rows = usage.groups.map((group) => [group[what] ?? '', ...cells(group)]);
  print(usage, table([what.toUpperCase(), 'REQUESTS', 'FAILED', 'PROMPT', 'CACHED', 'COMPLETION', 'COST'], [...rows, ['total', ...cells(usage.totals)]]), { json });
}

const cells = ({ requests, failedRequests, promptTokens, cachedTokens, completionTokens, amount }: Used): string[] => [
  ...[requests, failedRequests, promptTokens, cachedTokens, completionTokens].map(String),
  formatNanoUsd(amount),
];

function firstOfMonth(now = new Date()): Date {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1));
}

function day(text: string): Date {
  const found = new Date(`${text}T00:00:00Z`);
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || Number.isNaN(found.getTime())) throw new InvalidArgumentError('expected a day, as 2026-01-31');
  return found;
}

function by(text: string): string {
  if (text === 'day' || text === 'target') return text;
  throw new InvalidArgumentError('expected day or target');
}
