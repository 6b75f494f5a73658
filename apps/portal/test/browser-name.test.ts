import { expect, it } from 'vitest';
import { browserName } from '@/features/settings/account/browser-name';

it.each([
  ['Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0', 'Firefox on Windows'],
  ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1', 'Safari on iOS'],
  ['node', 'node'],
  ['python-requests/2.32', 'python-requests/2.32'],
  ['', 'A program'],
  [null, 'A program'],
])('calls %j %s', (userAgent, name) => expect(browserName(userAgent)).toBe(name));
