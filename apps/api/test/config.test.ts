import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig } from '../src/base/config/config.js';
import { loadSeedConfig } from '../src/base/config/seed-config.js';

const VALID = {
  DATABASE_URL: 'postgresql://aril_app:x@127.0.0.1:5432/aril',
  REDIS_URL: 'redis://127.0.0.1:6379',
  AUTH_SECRET: 'x'.repeat(32),
  OBJECTS_DIR: '/tmp/objects',
  UPLOADS_DIR: '/tmp/uploads',
  MODEL_CATALOG: 'models/catalog.json',
};

describe('the configuration', () => {
  it('has defaults for what can have one', () => {
    expect(loadConfig(VALID)).toMatchObject({
      API_URL: 'http://127.0.0.1:4000',
      PORTAL_URL: ['http://127.0.0.1:3000', 'http://localhost:3000'],
      ADAPTER_BYTES_MAX: 512 * 1024 * 1024,
      objectStore: { folder: '/tmp/objects' },
    });
  });

  it('takes empty variables for absent ones', () => {
    expect(loadConfig({ ...VALID, API_PORT: '', S3_BUCKET: '' }).API_PORT).toBe(4000);
  });

  it('reads dollars to the last nano-dollar', () => {
    const { TENANT_BUDGET_USD, TENANT_BUDGET_USD_MAX, TENANT_TOKENS_PER_MINUTE } = loadConfig({ ...VALID, TENANT_BUDGET_USD: '12.50', TENANT_BUDGET_USD_MAX: '0.000000001' });
    expect([TENANT_BUDGET_USD, TENANT_BUDGET_USD_MAX, TENANT_TOKENS_PER_MINUTE]).toEqual([12_500_000_000n, 1n, undefined]);
  });

  it.each([
    ['TENANT_BUDGET_USD', { TENANT_BUDGET_USD: '-1' }],
    ['TENANT_BUDGET_USD', { TENANT_BUDGET_USD: '1,50' }],
    ['TENANT_REQUESTS_PER_MINUTE_MAX', { TENANT_REQUESTS_PER_MINUTE_MAX: '0' }],
    ['DATABASE_URL', { DATABASE_URL: undefined }],
    ['DATABASE_URL', { DATABASE_URL: 'mysql://x/y' }],
    ['AUTH_SECRET', { AUTH_SECRET: 'short' }],
    ['API_PORT', { API_PORT: '70000' }],
    ['PORTAL_URL.0', { PORTAL_URL: 'not a url' }],
    ['LOG_LEVEL', { LOG_LEVEL: 'loud' }],
    ['OBJECTS_DIR', { OBJECTS_DIR: undefined }],
    ['SMTP_URL', { SMTP_URL: 'http://mail.example', MAIL_FROM: 'a@example.com' }],
    ['MAIL_FROM', { SMTP_URL: 'smtp://mail.example' }],
  ])('names the variable at fault: %s', (name, wrong) => {
    expect(() => loadConfig({ ...VALID, ...wrong })).toThrow(ConfigError);
    expect(() => loadConfig({ ...VALID, ...wrong })).toThrow(new RegExp(`^  ${name}: `, 'm'));
  });

  it('names every variable at fault at once', () => {
    expect(() => loadConfig({})).toThrow(/DATABASE_URL[\s\S]*REDIS_URL[\s\S]*AUTH_SECRET[\s\S]*UPLOADS_DIR/);
  });

  it('of the seed is checked too', () => {
    expect(() => loadSeedConfig({ SEED_OUT: 'x' })).toThrow(/SEED_ADAPTERS_DIR/);
  });
});
