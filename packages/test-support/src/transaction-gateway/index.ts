export { describeWithTransactions, type TransactionalMongo } from "./describe-with-transactions.ts";
export {
  startTransactionGateway,
  type TransactionGateway,
  type TransactionGatewayOptions,
} from "./start-transaction-gateway.ts";
