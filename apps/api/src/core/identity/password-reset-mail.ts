import type { Mail } from '../../integrations/mail/mailer.js';

/** How long a link to set a new password works, in seconds. It works once. */
export const RESET_LINK_LASTS_S = 60 * 60;

/** Plain text, as all our mails. */
export function passwordResetMail({ name, email }: { name: string; email: string }, link: string): Mail {
  return {
    to: email,
    subject: 'Set a new password for Aril',
    text: [
      `Hello ${name},`,
      `Set a new password for ${email} here, within an hour:\n${link}`,
      'If you did not ask for this, you need not do anything: your password stays as it is.',
    ].join('\n\n'),
  };
}
