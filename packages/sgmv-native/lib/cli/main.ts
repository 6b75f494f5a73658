/** `sgmv`: the engine without the platform. */
import { Command } from 'commander';
import { EngineError } from '../engine-error.js';
import { CliError } from './cli-error.js';
import { addGenerateCommand } from './generate-command.js';
import { addGoldenCommand } from './golden-command.js';
import { version } from '../version.js';
import { addInfoCommand } from './info-command.js';
import { addInspectCommand } from './inspect-command.js';

// `sgmv … | head` closes the pipe early; that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const program = new Command('sgmv')
  .description('Runs a language model with any number of LoRA adapters in one batch, on this machine.')
  .version(version)
  .showHelpAfterError('(sgmv --help and sgmv COMMAND --help say more)');

addGenerateCommand(program);
addInspectCommand(program);
addGoldenCommand(program);
addInfoCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CliError || error instanceof EngineError)) throw error;
  process.stderr.write(`sgmv: ${error.code}: ${error.message}\n`);
  process.exitCode = 1;
}
