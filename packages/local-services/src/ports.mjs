/**
 * Loopback ports. A free port is only a promise: another process may take it between the answer and its use,
 * so whoever binds it afterwards must be ready to ask again.
 */
import { createServer } from 'node:net';

/** @param {number} port 0 lets the kernel choose. @param {string} host @returns {Promise<number>} the bound port */
function bindOnce(port, host) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.unref();
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => {
      const address = /** @type {import('node:net').AddressInfo} */ (server.address());
      server.close(() => resolve(address.port));
    });
  });
}

/** @param {string} [host] */
export function freePort(host = '127.0.0.1') {
  return bindOnce(0, host);
}

/** @param {number} port @param {string} [host] */
export async function isPortFree(port, host = '127.0.0.1') {
  try {
    await bindOnce(port, host);
    return true;
  } catch (error) {
    if (error.code === 'EADDRINUSE' || error.code === 'EACCES') return false;
    throw error;
  }
}
