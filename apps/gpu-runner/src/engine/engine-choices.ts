/** What the engine's options may be, for the configuration: this folder is the engine's only importer. */
export { ADAPTER_TYPES, DEVICE, KV_TYPES, WEIGHT_TYPES } from '@aril/sgmv-native';
