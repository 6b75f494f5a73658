import { type AddressInfo, createServer } from 'node:net';

/** As much of SMTP as takes a mail in, and remembers what was said. */
export async function mailServer(): Promise<{ url: string; received(): string; stop(): Promise<void> }> {
  let text = '';
  const server = createServer((socket) => {
    let inMail = false;
    socket.write('220 test\r\n');
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += String(chunk);
      if (inMail && !/\r\n\.\r\n$/.test(text)) return;
      const command = inMail ? '' : String(chunk).slice(0, 4);
      inMail = command === 'DATA';
      socket.write(inMail ? '354 go on\r\n' : command === 'QUIT' ? '221 bye\r\n' : '250 ok\r\n');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    // Long lines are broken on the way, with a mark.
    received: () => text.replaceAll('=\r\n', ''),
    stop: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}
