/** Options of a log on brokers that are there: that the machine stands still for some seconds is not what a test is about. */
export const PATIENT_KAFKA = { timeout: 60_000, connectTimeout: 60_000 };
