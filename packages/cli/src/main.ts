/** `aril`: a workspace's adapters and usage, from a terminal or a pipeline. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addDeleteCommand } from './adapters/delete-command.js';
import { addImportCommand } from './adapters/import-command.js';
import { addListCommand } from './adapters/list-command.js';
import { addPushCommand } from './adapters/push-command.js';
import { CliError, EXIT } from './cli-error.js';
import { addUsageCommand } from './usage-command.js';

// `aril … | head` closes the pipe early; that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
const program = new Command('aril')
  .description('Brings adapters to Aril and tells what was used. ARIL_URL is the address of the API, ARIL_API_KEY a key of yours.')
  .version(version)
  .showHelpAfterError('(aril --help and aril COMMAND --help say more)')
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT.usage));

const adapters = program.command('adapters').description('Pushes, imports, lists and deletes adapters.');
for (const add of [addPushCommand, addImportCommand, addListCommand, addDeleteCommand]) add(adapters);
addUsageCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CliError)) throw error;
  process.stderr.write(`aril: ${error.message}\n`);
  process.exitCode = error.exitCode;
}
