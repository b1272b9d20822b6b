CREATE VIEW published AS
    SELECT p.id, u.email, p.title FROM posts p JOIN users u ON u.id = p.author WHERE p.state = 'published';
ALTER TABLE users ADD COLUMN name TEXT NOT NULL DEFAULT '';
