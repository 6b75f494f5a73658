/** `node scripts/fetch-nvcc.mjs`: fetches NVIDIA's compiler from PyPI into .aril/cuda, where every build finds it. */
import { requireNvcc } from './lib/nvcc.mjs';
import { Report } from './lib/report.mjs';
import { readSettings } from './lib/settings.mjs';

const report = new Report();
try {
  const nvcc = await report.step('nvcc', ({ note }) => requireNvcc(readSettings(process.env, []), note));
  report.line(`  ${nvcc}`);
} catch (error) {
  report.failure(error);
  process.exitCode = 1;
}
