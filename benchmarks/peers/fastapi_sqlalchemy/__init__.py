"""The peer: FastAPI, SQLAlchemy's asyncio ORM and asyncpg behind uvicorn."""
