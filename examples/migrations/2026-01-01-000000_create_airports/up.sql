-- Plain enough for SQLite, PostgreSQL and MySQL alike.
CREATE TABLE airports (
    icao VARCHAR(10) NOT NULL PRIMARY KEY,
    iata VARCHAR(10),
    name VARCHAR(255) NOT NULL,
    city VARCHAR(255),
    subd VARCHAR(255),
    country VARCHAR(2) NOT NULL,
    elevation DOUBLE PRECISION NOT NULL,
    lat DOUBLE PRECISION NOT NULL,
    lon DOUBLE PRECISION NOT NULL,
    tz VARCHAR(64) NOT NULL,
    lid VARCHAR(10)
);
