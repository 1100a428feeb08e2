// Runs once, when the volume is empty: the gateways' user, which may use one database and no other.
db.getSiblingDB("portcullis").createUser({
  user: "portcullis",
  pwd: process.env.MONGO_PASSWORD,
  roles: [{ role: "readWrite", db: "portcullis" }],
});
