uniform mat4 camera;
in vec3 position;
in vec3 spot;
out vec3 at;
out float layer;
void main() {
    at = position;
    layer = spot.z;
    gl_Position = camera * vec4(position, 1.0);
}
