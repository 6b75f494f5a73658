import type { Command } from 'commander';
import { formatBytes, print, table } from '../output.js';
import { connect } from '../settings.js';
import { type Adapter, listAdapters } from './adapter.js';

export function addListCommand(adapters: Command): void {
  adapters
    .command('list')
    .description('Lists the adapters, the newest first.')
    .option('--json', 'print them as JSON')
    .action(async (options: { json?: boolean }) => {
      const found = await listAdapters(connect());
      print(found, table(['NAME', 'STATUS', 'BASE MODEL', 'SIZE', 'CREATED', 'FROM'], found.map(rowOf)), options);
    });
}

const rowOf = ({ slug, status, baseModel, bytes, createdAt, source }: Adapter): string[] => [
  slug,
  status === 'UPLOADING' && source ? 'IMPORTING' : status,
  baseModel.id,
  formatBytes(bytes),
  createdAt.slice(0, 10),
  source ? `${source.repository}@${source.commit?.slice(0, 12) ?? source.revision}` : 'upload',
];
