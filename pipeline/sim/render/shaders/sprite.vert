// Glow of a lamp, turned to the camera.
uniform mat4 camera;
uniform float flip;
uniform vec2 aspect;         // normalized device units for one metre at one metre's distance
in vec2 corner;
in vec3 centre;
in vec4 shape;               // radius in metres, hardness of the core
in vec4 tint;
out vec2 place;
flat out vec4 paint;
flat out float hard;
void main() {
    place = corner;
    paint = tint;
    hard = shape.y;
    vec4 p = camera * vec4(centre.xy, centre.z * flip, 1.0);
    vec4 q = p;
    q.xy += corner * shape.x * aspect;
    gl_Position = q;
}
