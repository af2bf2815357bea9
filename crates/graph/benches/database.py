"""How far each of some nodes reaches, asked of Kùzu, an embedded graph database: `database.py EDGES NODES START...`. EDGES are lines
`from,to`. Prints `start count seconds` for each start, processor time of one thread. Ends with 3 where the package is not installed.
"""

import os
import sys
import tempfile
import time

try:
    import kuzu
except ImportError:
    sys.exit(3)

edges, nodes, starts = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
with tempfile.TemporaryDirectory() as directory:
    connection = kuzu.Connection(kuzu.Database(os.path.join(directory, "database")), num_threads=1)
    listed = os.path.join(directory, "nodes.csv")
    with open(listed, "w", encoding="ascii") as file:
        file.writelines(f"{node}\n" for node in range(nodes))
    connection.execute("CREATE NODE TABLE Node(id INT64 PRIMARY KEY)")
    connection.execute("CREATE REL TABLE Edge(FROM Node TO Node)")
    connection.execute(f"COPY Node FROM '{listed}'")
    connection.execute(f"COPY Edge FROM '{edges}'")
    connection.execute("CALL var_length_extend_max_depth = 1000")
    reached = "MATCH (one:Node {id: $start})-[:Edge* SHORTEST 1..1000]->(other:Node) WHERE other.id <> $start RETURN count(*)"
    for start in starts:
        began = time.process_time()
        [count] = connection.execute(reached, {"start": int(start)}).get_next()
        print(start, count, time.process_time() - began)
