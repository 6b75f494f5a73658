/**
 * Postgres refuses to run as root. When we are root, its processes run as an unprivileged account that already
 * exists on the system; nothing is created or changed. A clone below a private folder (/root) cannot be
 * entered by that account, so the processes then keep one capability, the one that lets them search and read
 * such folders; they can write nowhere but their own data folder.
 */
import { chownSync, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SETPRIV } from './process.mjs';

/** Linux capability numbers (capabilities(7)); the weaker right first. */
const SEARCH_CAPABILITIES = /** @type {const} */ ([
  ['dac_read_search', 2n],
  ['dac_override', 1n],
]);

/** @typedef {{ uid: number, gid: number, setpriv: string[] }} Account */

/** @returns {{ name: string, uid: number, gid: number }[]} */
function accounts() {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => {
    const [name, , uid, gid] = line.split(':');
    return { name, uid: Number(uid), gid: Number(gid) };
  });
}

/** @param {string} dir An existing data folder keeps its owner; otherwise `postgres` if there is one, else `nobody`. */
function chooseAccount(dir) {
  const known = accounts();
  const owner = existsSync(dir) ? statSync(dir).uid : 0;
  const account =
    (owner !== 0 && known.find(({ uid }) => uid === owner)) ||
    known.find(({ name }) => name === 'postgres') ||
    known.find(({ name }) => name === 'nobody');
  if (account) return account;
  throw new Error(
    'Postgres does not run as root, and /etc/passwd has neither a "postgres" nor a "nobody" account to run it as. ' +
      'Start as a plain user, or set DATABASE_URL to a Postgres of your own.',
  );
}

/** @param {string} path @param {{ uid: number, gid: number }} account Whether every folder above lets the account through. */
function canReach(path, account) {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const { mode, uid, gid } = statSync(folder);
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if (!(mode & bit)) return false;
    if (folder === '/') return true;
  }
}

function searchCapability() {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'));
  const mask = BigInt(`0x${effective?.[1] ?? '0'}`);
  return SEARCH_CAPABILITIES.find(([, bit]) => mask & (1n << bit))?.[0];
}

/** @param {string} dir @returns {string[]} */
function searchOptions(dir) {
  const capability = searchCapability();
  if (!capability)
    throw new Error(
      `The account that Postgres runs as cannot enter ${dir}, and this container withholds the capability to let it. ` +
        'Move the clone out of a private folder (for example to /srv), or set DATABASE_URL to a Postgres of your own.',
    );
  // no_setuid_fixup: without it access(2), which initdb asks first, ignores the capability of a non-root user.
  return [
    `--inh-caps=-all,+${capability}`,
    `--ambient-caps=-all,+${capability}`,
    '--securebits=+no_setuid_fixup',
  ];
}

/**
 * The account for a server whose data lives in `dir` and whose programs live in `programs`; null when we are
 * not root and the server simply runs as us. Creates nothing; `dir` must exist and is handed to the account.
 * @param {string} dir @param {string} programs @returns {Account | null}
 */
export function serverAccount(dir, programs) {
  if (process.getuid?.() !== 0) return null;
  if (!SETPRIV)
    throw new Error(
      'As root, Postgres needs the program "setpriv". Install it: apt-get install -y util-linux',
    );
  const account = chooseAccount(dir);
  chownSync(dir, account.uid, account.gid);
  const reachable = canReach(programs, account) && canReach(dir, account);
  return {
    uid: account.uid,
    gid: account.gid,
    setpriv: [
      `--reuid=${account.uid}`,
      `--regid=${account.gid}`,
      '--clear-groups',
      '--no-new-privs',
      ...(reachable ? [] : searchOptions(dir)),
    ],
  };
}
