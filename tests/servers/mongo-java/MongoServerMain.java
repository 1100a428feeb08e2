import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.util.List;

/**
 * mongo-java-server on loopback, for tests: MongoServerMain PORT [H2-FILE]. Port 0 takes a free one; without a file the
 * data live in memory. It ends when its standard input does, so that it never outlives the test that started it.
 */
public class MongoServerMain {
    public static void main(String[] args) throws Exception {
        MongoBackend backend = args.length > 1 ? new H2Backend(args[1]) : new MemoryBackend();
        backend.version(new AsKnownToTheDriver());
        MongoServer server = new MongoServer(backend);
        server.bind("127.0.0.1", Integer.parseInt(args[0]));
        System.out.println("listening on 127.0.0.1:" + server.getLocalAddress().getPort());
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
        while (System.in.read() >= 0) {
            // Nobody is expected to write.
        }
        System.exit(0);
    }

    /** The newest version that mongo-java-server itself claims has wire version 8, and the Rust driver wants more. */
    private static class AsKnownToTheDriver implements MongoVersion {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(5, 0, 0);
        }

        @Override
        public int getWireVersion() {
            return 13;
        }
    }
}
