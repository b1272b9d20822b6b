CREATE TYPE post_state AS ENUM ('draft', 'published');
CREATE TABLE posts (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    author BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title VARCHAR(200) NOT NULL,
    state post_state NOT NULL DEFAULT 'draft',
    tags TEXT[] NOT NULL DEFAULT '{}',
    body JSONB
);
COMMENT ON TABLE posts IS 'what users wrote';
