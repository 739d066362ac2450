/** Owner label of the simulated Sluice. */
export const OWNER = 'test';
