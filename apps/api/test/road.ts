import { connect, createServer, type Socket } from 'node:net';
import { freePort } from '@aril/local-services';

/**
 * A way to Postgres that can be closed: nobody listens, whoever connects is cut off, or nothing is told any more, as when
 * a machine is gone. Connections from before stay silent for ever.
 */
export async function roadTo(target: URL): Promise<{ url: string; open(): Promise<void>; close(how: 'refused' | 'dropped' | 'silent'): Promise<void> }> {
  const port = await freePort();
  const sockets = new Set<Socket>();
  let [dropping, silent] = [false, false];
  const server = createServer((client) => {
    client.on('error', () => {});
    if (dropping) return void client.destroy();
    sockets.add(client);
    if (silent) return;
    const upstream = connect(Number(target.port), target.hostname).on('error', () => {});
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.once('close', () => [client, upstream].forEach((end) => end.destroy()));
    }
    client.pipe(upstream).pipe(client);
  });
  const open = async (): Promise<void> => {
    [dropping, silent] = [false, false];
    if (!server.listening) await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  };
  await open();
  const url = new URL(target.href);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return {
    url: url.href,
    open,
    async close(how) {
      dropping = how === 'dropped';
      silent = how === 'silent';
      if (silent) return void sockets.forEach((socket) => socket.unpipe().pause());
      const closed = how === 'refused' ? new Promise((resolve) => server.close(resolve)) : null;
      for (const socket of sockets) socket.destroy();
      sockets.clear();
      await closed;
    },
  };
}
