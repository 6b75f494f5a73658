import Bowser from 'bowser';

/** “Firefox on Windows”, from what it says of itself. */
export const browserName = (userAgent: string | null | undefined): string => {
  if (!userAgent) return 'A program';
  const { browser, os } = Bowser.parse(userAgent);
  if (!browser.name) return userAgent.split(/[\s(]/, 1)[0]?.slice(0, 40) || 'A program';
  return os.name ? `${browser.name} on ${os.name}` : browser.name;
};
