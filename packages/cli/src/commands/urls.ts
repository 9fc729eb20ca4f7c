/** The text about `--store` and `--log` below the program's help: how the URLs are written, each with an example. */
export const urlsHelp = `
Stores for --store:
  sqlite:FILE                 sqlite:positions.db, or sqlite:///var/lib/app/positions.db?synchronous=normal
  memory:                     gone when the command ends
  postgres://HOST/DATABASE    postgres://user:password@db.example.com/app?sslmode=verify-full, or postgresql://;
                              ?schema=app&table=offsets for a table of your own
                              npm install @tidemark/store-postgres pg
  redis://HOST:PORT/NUMBER    redis://user:password@cache.example.com:6379/0, or rediss:// for TLS;
                              ?cluster=true for a Cluster, ?sentinel=NAME for a Sentinel set
                              npm install @tidemark/store-redis redis
  mongodb://HOSTS/DATABASE    mongodb://a.example.com,b.example.com/app?replicaSet=rs0, or mongodb+srv://
                              npm install @tidemark/store-mongo mongodb
  s3://BUCKET/PREFIX          s3://my-bucket/positions?region=eu-central-1, or for another server
                              s3://my-bucket/positions?endpoint=https://storage.example.com&forcePathStyle=true
                              npm install @tidemark/store-s3 @aws-sdk/client-s3

Logs for --log:
  local:FILE                  local:topics.db
  kafka://HOST:PORT,...       kafka://broker.example.com:9092, ?tls=true for TLS; with a password:
                              kafka://broker.example.com:9093?tls=true&sasl=scram-sha-256&username=me
                              and TIDEMARK_KAFKA_PASSWORD in the environment
                              npm install @tidemark/source-kafka

A password is safer in TIDEMARK_STORE or in a config file: what is typed after a command shows in the list of processes.`;
