/** The text about `--store` below the program's help: how the URLs of the stores are written, each with an example. */
export const storeUrlsHelp = `
Stores for --store:
  sqlite:FILE                 sqlite:positions.db, or sqlite:///var/lib/app/positions.db?synchronous=normal
  memory:                     gone when the command ends
  redis://HOST:PORT/NUMBER    redis://user:password@cache.example.com:6379/0, or rediss:// for TLS;
                              ?cluster=true for a Cluster, ?sentinel=NAME for a Sentinel set
                              npm install @tidemark/store-redis redis
  mongodb://HOSTS/DATABASE    mongodb://a.example.com,b.example.com/app?replicaSet=rs0, or mongodb+srv://
                              npm install @tidemark/store-mongo mongodb
  s3://BUCKET/PREFIX          s3://my-bucket/positions?region=eu-central-1, or for another server
                              s3://my-bucket/positions?endpoint=https://storage.example.com&forcePathStyle=true
                              npm install @tidemark/store-s3 @aws-sdk/client-s3
A password is safer in TIDEMARK_STORE or in a config file: what is typed after a command shows in the list of processes.`;
