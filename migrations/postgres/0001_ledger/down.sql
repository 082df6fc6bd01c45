DROP TABLE writer;
DROP TABLE audit;
DROP TABLE attempts;
DROP TABLE sessions;
DROP TABLE jobs;
