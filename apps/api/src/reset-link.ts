/** `node dist/reset-link.js E-MAIL`: prints a link with which its owner sets a new password, for servers that send no mail. */
import { makeResetMail } from './core/identity/reset-link.js';
import { runForAccount } from './operator-command.js';

await runForAccount('reset-link', async (app, config, email) => (await makeResetMail(app, config, email))?.text ?? null);
