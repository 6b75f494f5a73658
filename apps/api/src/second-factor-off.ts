/** `node dist/second-factor-off.js E-MAIL`: turns off the second factor of somebody who has lost app and backup codes. */
import { turnOffSecondFactor } from './core/identity/second-factor-off.js';
import { runForAccount } from './operator-command.js';

await runForAccount('second-factor-off', async (app, _config, email) => {
  const wasOn = await turnOffSecondFactor(app, email);
  if (wasOn === null) return null;
  return wasOn ? `${email} signs in with the password alone until a second factor is turned on again.` : `${email} has no second factor.`;
});
