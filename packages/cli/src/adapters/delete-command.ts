import type { Command } from 'commander';
import { z } from 'zod';
import { CliError } from '../cli-error.js';
import { print } from '../output.js';
import { connect } from '../settings.js';
import { findAdapter } from './adapter.js';

const deleted = z.object({ deleteAdapter: z.object({ adapterId: z.string() }) });

export function addDeleteCommand(adapters: Command): void {
  adapters
    .command('delete')
    .description('Deletes an adapter; an import of it that is under way ends.')
    .argument('<name>', 'what it is called by')
    .option('--json', 'print what was deleted as JSON')
    .action(async (name: string, options: { json?: boolean }) => {
      const api = connect();
      const adapter = await findAdapter(api, name);
      if (!adapter) throw new CliError(`name: there is no adapter "${name}"`);
      await api.ask(deleted, 'mutation ($id: ID!) { deleteAdapter(input: { adapterId: $id }) { adapterId } }', { id: adapter.id });
      print({ id: adapter.id, slug: name }, `${name} is deleted`, options);
    });
}
