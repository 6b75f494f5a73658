import { describe, expect, it } from 'vitest';
import { parseConfig } from '../src/config.js';

const sound = { REDIS_URL: 'redis://127.0.0.1:1', BASE_MODEL_ID: 'm', MODEL_DIR: '/m', OBJECTS_DIR: '/o' };

describe('parseConfig', () => {
  it('fills in defaults; empty means absent', () => {
    const config = parseConfig({ ...sound, HEALTH_PORT: '', MODEL_WEIGHTS: '', S3_BUCKET: '' });
    expect(config).toMatchObject({ HEALTH_PORT: 0, MAX_BATCH: 64, DRAIN_TIMEOUT_S: 25, LOG_LEVEL: 'info' });
    expect(config.MODEL_WEIGHTS).toBeUndefined();
    expect(config.RUNNER_ID).not.toBe('');
    expect(parseConfig(sound).RUNNER_ID).not.toBe(config.RUNNER_ID);
  });

  it('reads numbers and switches', () => {
    const config = parseConfig({ ...sound, MAX_BATCH: '8', KV_BYTES: '1000000', S3_FORCE_PATH_STYLE: 'false', S3_BUCKET: 'b' });
    expect(config).toMatchObject({ MAX_BATCH: 8, KV_BYTES: 1_000_000, S3_FORCE_PATH_STYLE: false });
  });

  it('names every variable at fault at once, and no value', () => {
    const attempt = (): unknown => parseConfig({ REDIS_URL: 'postgres://secret', MAX_BATCH: 'many', MODEL_DIR: '/m' });
    expect(attempt).toThrow(/REDIS_URL: .*\n.*BASE_MODEL_ID: .*\n.*MAX_BATCH: .*\n.*OBJECTS_DIR or S3_BUCKET/s);
    expect(attempt).not.toThrow(/secret/);
  });
});
